"""Words of a table that look like slips of others."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from labwright.campaigns.spreadsheet.sheet import Sheet
from labwright.core.heading import Heading
from labwright.core.space import Categorical, Parameter

ALIKE = 0.82  # THFF and THF are, XPhos and SPhos are not
DIGITS = re.compile(r"\d+")


def slips(sheet: Sheet, parameters: Sequence[Parameter], named: Collection[str]) -> list[str]:
    """Say of each word that stands once how it is nearly another, which stands more often.

    `named`: the columns whose words a person has named; there none is taken for a slip.
    """
    columns = [p.name for p in parameters if isinstance(p, Categorical) and p.name not in named]
    return [said for name in columns for said in _of_column(sheet, sheet.find(name, ""))]


def _of_column(sheet: Sheet, heading: Heading) -> list[str]:
    lines = {row.cells[heading.index]: row.line for row in sheet.rows}
    times = Counter(row.cells[heading.index] for row in sheet.rows)
    several = [word for word, n in times.items() if n > 1 and word]
    said = []
    for word in (word for word, n in times.items() if n == 1 and word):
        # What differs in its numbers only, such as ligand-1 and ligand-2, was numbered.
        others = [other for other in several if DIGITS.sub("", other) != DIGITS.sub("", word)]
        if near := get_close_matches(word, others, n=1, cutoff=ALIKE):
            where = f"{sheet.row_word.capitalize()} {lines[word]}"
            said.append(
                f"{where} has the only {word!r} in {heading.text!r}, nearly {near[0]!r}. If it is a slip, mend it."
            )
    return said
