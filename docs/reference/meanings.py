"""The sentences of the reference pages that the code does not hold; generate.py fails where one is missing."""

PAGES = {
    "campaign-file": """\
# The campaign file

A campaign is one YAML file. It is read whole before anything runs, and every problem is named with its line, what was
found and what was expected.

- An unknown key is an error, with the nearest known key or all that are possible there.
- Aliases, anchors, tags and a key that stands twice are refused; so are files over 1 MB and nesting over 20 deep.
- A number may carry its unit, as in `low: 25 degC`. Units are written as [Pint](https://pint.readthedocs.io) reads
  them. A convertible unit is converted, one of another dimension is refused. A bare number is in the unit beside it.
- Names of parameters, outcomes and resources are letters, digits and `_`.

A commented file to start from: `labwright init FOLDER`.

## In an editor

[campaign.schema.json](campaign.schema.json) is a JSON Schema of the file. With it an editor completes keys, shows what
they mean and marks mistakes. In Visual Studio Code install the extension *YAML* of Red Hat and write, as the first line
of the campaign file, where the schema lies (a path from the campaign file, or a URL):

    # yaml-language-server: $schema=../labwright/docs/reference/campaign.schema.json

JetBrains' editors take the same line. `labwright check` sees more than an editor: names, units, limits, and what the
resources can do.
""",
    "command-line": """\
# The command line

A campaign is named by its file, by its name where its database is in the current folder, or as `FOLDER/NAME` where it
is in another. `labwright --version` prints the version. `--json` prints one line
of JSON on the standard output and nothing else there; progress and errors go to the standard error.
[Exit codes](exit-codes.md).
""",
    "errors": """\
# Errors

What Labwright raises on purpose is a `PlatformError`. Its message says what was asked, why not, and what to do now; the
command line prints it and ends with the [exit code](exit-codes.md). Anything else is a bug: please report it with its
traceback.
""",
    "exit-codes": """\
# Exit codes

Every command ends with one of these.
""",
    "settings": """\
# Settings

Labwright reads these variables of the environment once, at its start. A campaign's own choices stand in its
[file](campaign-file.md).
""",
    "states": """\
# States

These are all the changes of state that there are; any other is an error. Each is one transaction with its entry in
the ledger. A finished campaign that is given more trials is paused: nobody conducts it before somebody says so. A
trial may be corrected as often as needed; what came back stays on record. The words are explained in the
[glossary](../explanation/glossary.md), the protocol in [never lost, never
repeated](../explanation/never-lost-never-repeated.md).
""",
}

EXITS = {
    "DONE": "Done as asked.",
    "BUG": "An error that Labwright did not expect, with its traceback.",
    "INVALID": "A file, an option or a name is wrong, or an extra is not installed. Nothing was run.",
    "UNAVAILABLE": "A resource is out of reach. The campaign is paused; the same command goes on.",
    "HALTED": "The campaign cannot go on by itself: refused or failed too often, a result that nobody can tell, or "
    "a lot that lacks what it takes.",
    "SOME_FAILED": "The campaign is finished, and some of its trials failed.",
    "BROKEN": "The ledger does not agree with itself or with the tables.",
    "STORAGE": "The database cannot be opened, read or written.",
    "NOT_AUTHORISED": "A secret is wrong, its owner is locked for a while, or may not do this. Nothing was changed.",
    "INTERRUPTED": "Interrupted by a person. The campaign is paused; the same command goes on.",
}

SETTINGS = {
    "database_url": "The database, as `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`. "
    "Without it: `labwright.db` beside the campaign file.",
    "urls": "The address of the resource NAME, in place of the `url` in the campaign file.",
    "busy_timeout_s": "Seconds to wait for the database when another process writes.",
    "lease_s": "Seconds without a sign of life, after which others take over what the device keeps apart by epochs.",
    "outage_s": "Seconds that `run` and `conduct` go on trying when the database cannot be used; `worker` "
    "never gives up.",
    "poll_s": "Seconds between two looks at what other processes have put on record.",
    "reconnect_s": "Not used yet; the `opcua` resource has an option of that name.",
}
