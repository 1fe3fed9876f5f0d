// Sorts the table of trials by the column whose title is clicked; a second click turns the order round.
const key = (row, column) => {
  const cell = row.cells[column];
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
};
const compare = (a, b) => {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return typeof a === "number" ? a - b : a.localeCompare(b);
};
for (const button of document.querySelectorAll("table.trials th button")) {
  button.addEventListener("click", () => {
    const title = button.parentElement;
    const turned = title.getAttribute("aria-sort") === "ascending";
    for (const other of title.parentElement.cells) other.removeAttribute("aria-sort");
    title.setAttribute("aria-sort", turned ? "descending" : "ascending");
    const body = title.closest("table").tBodies[0];
    const rows = [...body.rows].sort((a, b) => compare(key(a, title.cellIndex), key(b, title.cellIndex)));
    body.append(...(turned ? rows.reverse() : rows));
  });
}
