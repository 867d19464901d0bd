// The tool `count`: the lines, words and bytes of a text file.

#include <stdio.h>
#include <string.h>

#include "bindings/plugin.h"
#include "json.h"
#include "memory.h"

#define PATH_BYTES_MAX 4096
#define PART_BYTES (1 << 20)

static const char SCHEMA[] =
    "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"minLength\":1,"
    "\"description\":\"Absolute, or relative to the project's folder\"}},"
    "\"required\":[\"path\"],\"additionalProperties\":false}";

// A call may fail in these ways: each is a sentence that the caller reads.
static bool fail(uint8_t kind, const char *text, pi_tool_types_error_t *err) {
  err->tag = kind;
  plugin_string_dup(&err->val.failed, text);
  return false;
}

// What the host said: a refusal stays one, a limit too, the rest is a failure.
static bool fail_by_host(pi_files_files_error_t *error, pi_tool_types_error_t *err) {
  if (error->tag == PI_FILES_FILES_ERROR_REFUSED) {
    err->tag = PI_TOOL_TYPES_ERROR_REFUSED;
    err->val.refused = error->val.refused;
    return false;
  }
  bool is_limit = error->tag == PI_FILES_FILES_ERROR_LIMIT || error->tag == PI_FILES_FILES_ERROR_TOO_LARGE;
  err->tag = is_limit ? PI_TOOL_TYPES_ERROR_LIMIT : PI_TOOL_TYPES_ERROR_FAILED;
  err->val.failed = error->val.other;
  return false;
}

static bool count(const char *path, unsigned long *lines, unsigned long *words, unsigned long *bytes,
                  pi_tool_types_error_t *err) {
  bool is_in_word = false;
  for (;;) {
    plugin_string_t name;
    plugin_list_u8_t part;
    pi_files_files_error_t error;
    plugin_string_set(&name, path);
    if (!pi_files_files_read(&name, *bytes, PART_BYTES, &part, &error)) return fail_by_host(&error, err);
    for (size_t i = 0; i < part.len; i++) {
      bool is_blank = strchr(" \t\r\n\v\f", part.ptr[i]) != NULL && part.ptr[i] != 0;
      *lines += part.ptr[i] == '\n';
      *words += !is_blank && !is_in_word;
      is_in_word = !is_blank;
    }
    size_t read = part.len;
    plugin_list_u8_free(&part);
    if (read == 0) return true;
    *bytes += read;
  }
}

void exports_pi_tool_tool_definitions(exports_pi_tool_tool_list_definition_t *ret) {
  ret->len = 1;
  ret->ptr = plugin_allocate(sizeof *ret->ptr);
  plugin_string_dup(&ret->ptr->name, "count");
  plugin_string_dup(&ret->ptr->description, "Count the lines, words and bytes of a text file");
  plugin_string_dup(&ret->ptr->input_schema, SCHEMA);
  ret->ptr->effect = PI_TOOL_TYPES_EFFECT_READ;
  ret->ptr->idempotent = true;
}

bool exports_pi_tool_tool_call(plugin_string_t *name, plugin_string_t *arguments,
                               exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  static char path[PATH_BYTES_MAX], result[6 * PATH_BYTES_MAX + 256];
  if (name->len != 5 || memcmp(name->ptr, "count", 5) != 0)
    return fail(PI_TOOL_TYPES_ERROR_NOT_FOUND, "the plugin has no tool of this name", err);
  if (!json_string((const char *)arguments->ptr, arguments->len, "path", path, sizeof path))
    return fail(PI_TOOL_TYPES_ERROR_INVALID_ARGUMENTS, "`path` must be a text of less than 4096 bytes", err);
  unsigned long lines = 0, words = 0, bytes = 0;
  if (!count(path, &lines, &words, &bytes, err)) return false;

  size_t length = (size_t)sprintf(result, "{\"path\":");
  length += json_quote(path, strlen(path), result + length, sizeof result - 200);
  sprintf(result + length, ",\"lines\":%lu,\"words\":%lu,\"bytes\":%lu}", lines, words, bytes);
  ret->len = 1;
  ret->ptr = plugin_allocate(sizeof *ret->ptr);
  ret->ptr->tag = PI_TOOL_TYPES_CONTENT_JSON;
  plugin_string_dup(&ret->ptr->val.json, result);
  return true;
}
