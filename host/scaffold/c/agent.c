// An agent: it counts the file that its prompt names, by the tool `count`, and says what it found.

#include <stdio.h>
#include <string.h>

#include "bindings/plugin.h"
#include "json.h"
#include "memory.h"

#define PATH_BYTES_MAX 4096
#define TEXT_BYTES_MAX 65536

// The last word of the prompt that looks like a path: with a dot or a slash in it.
static bool path_of(const plugin_string_t *prompt, char *path, size_t bytes_max) {
  const char *text = (const char *)prompt->ptr;
  bool is_found = false;
  for (size_t i = 0; i < prompt->len;) {
    while (i < prompt->len && strchr(" \t\n`'\",;:!?()", text[i]) != NULL) i++;
    size_t begin = i;
    while (i < prompt->len && strchr(" \t\n`'\",;:!?()", text[i]) == NULL) i++;
    size_t length = i - begin;
    if (length > 0 && text[begin + length - 1] == '.') length--;
    bool is_path = memchr(text + begin, '.', length) != NULL || memchr(text + begin, '/', length) != NULL;
    if (is_path && length < bytes_max) {
      memcpy(path, text + begin, length);
      path[length] = '\0';
      is_found = true;
    }
  }
  return is_found;
}

static void answer(exports_pi_agent_agent_outcome_t *ret, uint8_t status, const char *summary, const char *details) {
  ret->status = status;
  plugin_string_dup(&ret->summary, summary);
  plugin_string_dup(&ret->details, details);
}

static void end(exports_pi_agent_agent_outcome_t *ret, const char *path, pi_tools_tools_result_list_content_error_t *result) {
  static char summary[TEXT_BYTES_MAX + PATH_BYTES_MAX + 256];
  unsigned long lines, words, bytes;
  if (result->is_err) {
    bool is_refused = result->val.err.tag == PI_TOOL_TYPES_ERROR_REFUSED;
    plugin_string_t *why = is_refused ? &result->val.err.val.refused.reason : &result->val.err.val.failed;
    int shown = why->len < TEXT_BYTES_MAX ? (int)why->len : TEXT_BYTES_MAX;
    snprintf(summary, sizeof summary, "`%s` could not be counted: %.*s", path, shown, (const char *)why->ptr);
    answer(ret, EXPORTS_PI_AGENT_AGENT_STATUS_FAILED, summary, "{}");
    return;
  }
  plugin_string_t *json = result->val.ok.len > 0 ? &result->val.ok.ptr[0].val.json : NULL;
  if (json == NULL || result->val.ok.ptr[0].tag != PI_TOOL_TYPES_CONTENT_JSON ||
      !json_number((const char *)json->ptr, json->len, "lines", &lines) ||
      !json_number((const char *)json->ptr, json->len, "words", &words) ||
      !json_number((const char *)json->ptr, json->len, "bytes", &bytes)) {
    answer(ret, EXPORTS_PI_AGENT_AGENT_STATUS_ESCALATED, "the tool `count` answered something else than counts", "{}");
    return;
  }
  static char details[256];
  snprintf(summary, sizeof summary, "`%s` has %lu lines, %lu words and %lu bytes.", path, lines, words, bytes);
  snprintf(details, sizeof details, "{\"lines\":%lu,\"words\":%lu,\"bytes\":%lu}", lines, words, bytes);
  answer(ret, EXPORTS_PI_AGENT_AGENT_STATUS_DONE, summary, details);
}

bool exports_pi_agent_agent_run(exports_pi_agent_agent_task_t *task, exports_pi_agent_agent_outcome_t *ret,
                                plugin_string_t *err) {
  static char path[PATH_BYTES_MAX], arguments[6 * PATH_BYTES_MAX + 64];
  (void)err;
  if (!path_of(&task->prompt, path, sizeof path)) {
    answer(ret, EXPORTS_PI_AGENT_AGENT_STATUS_NOTHING_TO_DO, "The prompt names no file.", "{}");
    return true;
  }
  size_t length = (size_t)sprintf(arguments, "{\"path\":");
  length += json_quote(path, strlen(path), arguments + length, sizeof arguments - 32);
  strcpy(arguments + length, "}");

  pi_tools_tools_request_t request;
  plugin_string_set(&request.name, "count");
  plugin_string_set(&request.arguments, arguments);
  pi_tools_tools_list_request_t requests = {&request, 1};
  pi_tools_tools_list_result_list_content_error_t results;
  pi_tools_tools_call(&requests, &results);
  if (results.len == 1) end(ret, path, &results.ptr[0]);
  else answer(ret, EXPORTS_PI_AGENT_AGENT_STATUS_FAILED, "the host gave no answer", "{}");
  pi_tools_tools_list_result_list_content_error_free(&results);
  return true;
}
