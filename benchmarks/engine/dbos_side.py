"""The same work in DBOS, by its own recommended means; runs in an environment of its own, without Labwright.

    python dbos_side.py URL SOCKET TRIALS

One workflow for each trial, with an id that says which, so that no trial is begun twice; the instrument is asked in a
step. DBOS recovers what was open by itself when it is launched; the results are waited for.
"""

import json
import socket
import sys

from dbos import DBOS, SetWorkflowID

URL, SOCKET, TRIALS = sys.argv[1], sys.argv[2], int(sys.argv[3])
DBOS(config={"name": "engine-benchmark", "system_database_url": URL, "application_version": "1", "log_level": "ERROR"})


@DBOS.step()
def measure(trial: int) -> float:
    """Have the instrument do one trial."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(SOCKET)
        line.sendall(f"start {DBOS.workflow_id} {trial}\n".encode())
        with line.makefile() as answer:
            return float(answer.readline().split()[1])


@DBOS.workflow()
def conduct(trial: int) -> float:
    """Do one trial."""
    return measure(trial)


def main() -> None:
    """Do every trial, one after another."""
    DBOS.launch()
    done = 0
    for trial in range(TRIALS):
        with SetWorkflowID(f"trial-{trial}"):
            done += DBOS.start_workflow(conduct, trial).get_result() == trial
    print(json.dumps(done), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
