"""Remedies: what operators can do about exports that fail, by their error code."""

REMEDIES = {
    "IOTDA.014705": "Most often a wrong id. If all of a project's exports fail so, look whether it "
    "is mapped to the right project of the cloud (export-tasks project list).",
    "IOTDA.014706": "Look whether the source answers: export-tasks doctor. Once it does, retry "
    "what is still wanted.",
    "IOTDA.014707": "Nothing to mend here: the format holds no more. Its owner may export smaller "
    "batch tasks, or one app's.",
    "IOTDA.014708": "The source counted other rows than it gave. Retry one; if it fails again, the "
    "source loses or doubles rows, and whoever runs it should know.",
    "IOTDA.014709": "Look at the service's log for how the exporters ended, and at memory and disk "
    "(export-tasks doctor). Then retry.",
    "IOTDA.014710": "The result store is full or away: export-tasks doctor. Once it takes files "
    "again, retry what is still wanted.",
}

UNKNOWN = "This version of export-tasks does not know the code. Look at a task's history."


def remedy(code: str | None) -> str:
    """What to do; of a code that this version does not know, where to look."""
    return REMEDIES.get(code or "", UNKNOWN)
