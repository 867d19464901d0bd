"""An agent: it counts the file that its prompt names, by the tool `count`, and says what it found."""

import json
import re

from wit_world.exports.agent import Outcome, Status
from wit_world.imports import tool_types as tool
from wit_world.imports import tools
from componentize_py_types import Ok


def path_of(prompt):
    """The last word of the prompt that looks like a path: with a dot or a slash in it."""
    words = [word.removesuffix(".") for word in re.split(r"[\s`'\",;:!?()]+", prompt)]
    return next((word for word in reversed(words) if "." in word or "/" in word), None)


def reason(error):
    return error.value.reason if isinstance(error, tool.Error_Refused) else error.value


class Agent:
    def run(self, task):
        path = path_of(task.prompt)
        if path is None:
            return Outcome(Status.NOTHING_TO_DO, "The prompt names no file.", "{}")
        [result] = tools.call([tools.Request("count", json.dumps({"path": path}))])
        if not isinstance(result, Ok):
            return Outcome(Status.FAILED, f"`{path}` could not be counted: {reason(result.value)}", "{}")
        found = next((json.loads(part.value) for part in result.value if isinstance(part, tool.Content_Json)), {})
        try:
            details = {name: int(found[name]) for name in ("lines", "words", "bytes")}
        except (KeyError, TypeError, ValueError):
            return Outcome(Status.ESCALATED, "the tool `count` answered something else than counts", "{}")
        summary = "`{}` has {lines} lines, {words} words and {bytes} bytes.".format(path, **details)
        return Outcome(Status.DONE, summary, json.dumps(details))
