"""The tool `count`: the lines, words and bytes of a text file."""

import json

from componentize_py_types import Err
from wit_world.imports import files
from wit_world.imports import tool_types as tool

# The file is read in parts of this size: the whole may be larger than the plugin's memory.
PART_BYTES = 1 << 20

COUNT = tool.Definition(
    name="count",
    description="Count the lines, words and bytes of a text file",
    input_schema=json.dumps({
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "Absolute, or relative to the project's folder"},
        },
        "required": ["path"],
        "additionalProperties": False,
    }),
    effect=tool.Effect.READ,
    idempotent=True,
)


def count(path):
    lines = words = size = 0
    is_in_word = False
    while part := files.read(path, size, PART_BYTES):
        lines += part.count(b"\n")
        words += len(part.split()) - (is_in_word and not part[:1].isspace())
        is_in_word = not part[-1:].isspace()
        size += len(part)
    return {"path": path, "lines": lines, "words": words, "bytes": size}


def error_of(error):
    """What the caller reads when the host could not do it: a refusal stays one, a limit too."""
    if isinstance(error, files.Error_Refused):
        return tool.Error_Refused(error.value)
    if isinstance(error, (files.Error_TooLarge, files.Error_Limit)):
        return tool.Error_Limit(error.value)
    return tool.Error_Failed(error.value)


class Tool:
    def definitions(self):
        return [COUNT]

    def call(self, name, arguments):
        if name != "count":
            raise Err(tool.Error_NotFound(f"the plugin has no tool `{name}`"))
        try:
            result = count(**json.loads(arguments))
        except Err as error:
            raise Err(error_of(error.value)) from None
        return [tool.Content_Json(json.dumps(result))]
