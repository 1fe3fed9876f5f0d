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

These are all the changes of state that there are; any other is an error. Each is one transaction with its entry in the
ledger. Some names are there for what is to come: nothing puts a trial on `waiting` yet. A finished campaign that is given
more trials is paused: nobody conducts it before somebody says so. A trial may be corrected as often as needed; what came
back stays on record. The words are explained in the [glossary](../explanation/glossary.md), the protocol in [never lost,
never repeated](../explanation/never-lost-never-repeated.md).
""",
}

CAMPAIGN = {
    "CampaignPart.name": "The campaign's name in the database: letters, digits, `.`, `_` and `-`.",
    "CampaignPart.question": "What you want to know, in your words.",
    "CampaignPart.space": "What may be chosen: a parameter by each name.",
    "CampaignPart.objectives": "What is wanted. The planner pursues the first; the others are only predicted.",
    "CampaignPart.constraints": "What must hold of a result.",
    "CampaignPart.procedure": "How one point is tried: steps in order.",
    "CampaignPart.resources": "Who carries out the steps.",
    "CampaignPart.budget": "How much may be spent.",
    "CampaignPart.planner": "Who chooses.",
    "CampaignPart.safety": "The limits that hold besides those of the resources.",
    "ContinuousPart.kind": "Says that it is continuous.",
    "ContinuousPart.low": "The lowest value.",
    "ContinuousPart.high": "The highest value.",
    "ContinuousPart.unit": "The unit of the values.",
    "ContinuousPart.log": "Whether steps are even in the logarithm; then low is above 0.",
    "DiscretePart.kind": "Says that it is discrete.",
    "DiscretePart.values": "The possible values, rising.",
    "DiscretePart.unit": "The unit of the values.",
    "OrdinalPart.kind": "Says that it is ordinal.",
    "OrdinalPart.levels": "The words, in order.",
    "CategoricalPart.kind": "Says that it is categorical.",
    "CategoricalPart.levels": "The words.",
    "ObjectivePart.goal": "As little, as much, or as near to the target as possible.",
    "ObjectivePart.unit": "The unit in which it is recorded.",
    "ObjectivePart.target": "Given when, and only when, the goal is `match`.",
    "ConstraintPart.at_least": "The lowest value that is good enough.",
    "ConstraintPart.at_most": "The highest value that is still allowed.",
    "ConstraintPart.unit": "The unit in which it is recorded; that of the objective, where one has the same name.",
    "StepPart.use": "Which capability of which resource: `resource.capability`.",
    "StepPart.with": "Each input of it: `$name` of a parameter or of an earlier step's result, or a constant.",
    "StepPart.gives": "The name here of each output: `name: $output`.",
    "ResourcePart.kind": "`function`, `opcua`, `table`, or a plug-in's; the other keys are that kind's own.",
    "BudgetPart.trials": "How many trials. Refused proposals do not count, failed ones do.",
    "PlannerPart.kind": "`gp`, `sampling`, or a plug-in's; the other keys are that kind's own.",
    "PlannerPart.seed": "The same seed and the same history give the same proposals.",
    "SafetyPart.limits": "`from_resources`, or narrower limits: a limit by each `resource.capability.input`.",
    "LimitPart.low": "The lowest value that may be set.",
    "LimitPart.high": "The highest value that may be set.",
    "LimitPart.unit": "The unit of the two.",
}

EXITS = {
    "DONE": "Done as asked.",
    "BUG": "An error that Labwright did not expect, with its traceback.",
    "INVALID": "A file, an option or a name is wrong, or an extra is not installed. Nothing was run.",
    "UNAVAILABLE": "A resource is out of reach. The campaign is paused; the same command goes on.",
    "HALTED": "The campaign cannot go on by itself: refused or failed too often, a result that nobody can tell, or "
    "another process runs it.",
    "SOME_FAILED": "The campaign is finished, and some of its trials failed.",
    "BROKEN": "The ledger does not agree with itself or with the tables.",
    "STORAGE": "The database cannot be opened, read or written.",
    "INTERRUPTED": "Interrupted by a person. The campaign is paused; the same command goes on.",
}

SETTINGS = {
    "database_url": "The database, as `sqlite:///FILE`. Without it: `labwright.db` beside the campaign file.",
    "urls": "The address of the resource NAME, in place of the `url` in the campaign file.",
    "busy_timeout_s": "Seconds to wait for the database when another process writes.",
    "poll_s": "Seconds between two looks at what other processes have put on record.",
    "reconnect_s": "Not used yet; the `opcua` resource has an option of that name.",
}
