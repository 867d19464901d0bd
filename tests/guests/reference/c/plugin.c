// The reference tool, in C: one tool for each thing that can be granted, and for each way to misbehave. It
// has the same tools and the same answers as its siblings in Rust, Python and JavaScript.

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/plugin.h"
#include "json.h"
#include "memory.h"
#include "sockets.h"

#define TEXT_BYTES_MAX 4096
#define RESULT_BYTES_MAX 32768
#define FLOOD_BYTES (1u << 20)
#define GROW_STEP_BYTES (1u << 20)
#define READ_BYTES_MAX (1u << 20)

extern char **environ;

static char argument[TEXT_BYTES_MAX];
static const plugin_string_t *call_arguments;
static char result[RESULT_BYTES_MAX];

static bool fail(uint8_t kind, const char *text, pi_tool_types_error_t *err) {
  err->tag = kind;
  plugin_string_dup(&err->val.failed, text);
  return false;
}

static bool answer(uint8_t kind, const char *text, exports_pi_tool_tool_list_content_t *ret) {
  ret->len = 1;
  ret->ptr = plugin_allocate(sizeof *ret->ptr);
  ret->ptr->tag = kind;
  plugin_string_dup(&ret->ptr->val.text, text);
  return true;
}

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

// `{"bytes":7,"first_line":"..."}`; a line that is too long for the result is cut.
static void first_line(const char *member, unsigned long number, const uint8_t *bytes, size_t length) {
  size_t end = 0;
  while (end < length && bytes[end] != '\n' && end < TEXT_BYTES_MAX) end++;
  if (end > 0 && bytes[end - 1] == '\r') end--;
  size_t written = (size_t)sprintf(result, "{\"%s\":%lu,\"first_line\":", member, number);
  written += json_quote((const char *)bytes, end, result + written, sizeof result - written - 2);
  strcpy(result + written, "}");
}

static bool files(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  plugin_string_t path;
  pi_files_files_metadata_t metadata;
  pi_files_files_error_t error;
  plugin_list_u8_t bytes;
  plugin_string_set(&path, argument);
  if (!pi_files_files_stat(&path, true, &metadata, &error)) return fail_by_host(&error, err);
  if (!pi_files_files_read(&path, 0, READ_BYTES_MAX, &bytes, &error)) return fail_by_host(&error, err);
  first_line("bytes", (unsigned long)metadata.size, bytes.ptr, bytes.len);
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

// Why there is no answer, in the host's words where it has any.
static bool fail_by_code(wasi_http_types_error_code_t *code, pi_tool_types_error_t *err) {
  bool is_said = code->tag == WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR && code->val.internal_error.is_some;
  if (!is_said) return fail(PI_TOOL_TYPES_ERROR_FAILED, "the request was not answered", err);
  err->tag = PI_TOOL_TYPES_ERROR_FAILED;
  err->val.failed = code->val.internal_error.val;
  return false;
}

static bool http(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  bool is_https = strncmp(argument, "https://", 8) == 0;
  if (!is_https && strncmp(argument, "http://", 7) != 0)
    return fail(PI_TOOL_TYPES_ERROR_INVALID_ARGUMENTS, "a URL begins with `https://` or `http://`", err);
  char *authority = argument + (is_https ? 8 : 7);
  char *fragment = strchr(authority, '#');
  if (fragment != NULL) *fragment = '\0';
  size_t end = strcspn(authority, "/?");
  plugin_string_t host, path;
  static char rest[TEXT_BYTES_MAX + 1];
  snprintf(rest, sizeof rest, "%s%s", authority[end] == '/' ? "" : "/", authority + end);
  authority[end] = '\0';
  plugin_string_set(&host, authority);
  plugin_string_set(&path, rest);

  wasi_http_types_own_outgoing_request_t request = wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
  wasi_http_types_borrow_outgoing_request_t borrowed = wasi_http_types_borrow_outgoing_request(request);
  wasi_http_types_scheme_t scheme = {.tag = is_https ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
  if (!wasi_http_types_method_outgoing_request_set_scheme(borrowed, &scheme) ||
      !wasi_http_types_method_outgoing_request_set_authority(borrowed, &host) ||
      !wasi_http_types_method_outgoing_request_set_path_with_query(borrowed, &path))
    return fail(PI_TOOL_TYPES_ERROR_INVALID_ARGUMENTS, "the URL cannot be used", err);

  wasi_http_types_own_future_incoming_response_t answered;
  wasi_http_outgoing_handler_error_code_t code;
  if (!wasi_http_outgoing_handler_handle(request, NULL, &answered, &code)) return fail_by_code(&code, err);
  wasi_http_types_borrow_future_incoming_response_t future = wasi_http_types_borrow_future_incoming_response(answered);
  wasi_io_poll_own_pollable_t ready = wasi_http_types_method_future_incoming_response_subscribe(future);
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
  wasi_io_poll_pollable_drop_own(ready);
  wasi_http_types_result_result_own_incoming_response_error_code_void_t taken;
  if (!wasi_http_types_method_future_incoming_response_get(future, &taken) || taken.is_err)
    return fail(PI_TOOL_TYPES_ERROR_FAILED, "there was no answer", err);
  if (taken.val.ok.is_err) return fail_by_code(&taken.val.ok.val.err, err);

  wasi_http_types_borrow_incoming_response_t response = wasi_http_types_borrow_incoming_response(taken.val.ok.val.ok);
  unsigned status = wasi_http_types_method_incoming_response_status(response);
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  if (!wasi_http_types_method_incoming_response_consume(response, &body) ||
      !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream))
    return fail(PI_TOOL_TYPES_ERROR_FAILED, "the answer has no body", err);
  plugin_list_u8_t bytes = {NULL, 0};
  wasi_io_streams_stream_error_t end_of_stream;
  // The first part holds the first line, unless the answer is empty.
  wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), 65536, &bytes, &end_of_stream);
  wasi_io_streams_input_stream_drop_own(stream);
  first_line("status", status, bytes.ptr, bytes.len);
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

static bool store(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  plugin_string_t name, key;
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  uint64_t count;
  plugin_string_set(&name, "default");
  plugin_string_set(&key, argument);
  if (!wasi_keyvalue_store_open(&name, &bucket, &error))
    return fail(PI_TOOL_TYPES_ERROR_FAILED, "the store cannot be opened", err);
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &key, 1, &count, &error)) {
    bool is_said = error.tag == WASI_KEYVALUE_STORE_ERROR_OTHER;
    if (!is_said) return fail(PI_TOOL_TYPES_ERROR_FAILED, "the store is not granted", err);
    err->tag = PI_TOOL_TYPES_ERROR_FAILED;
    err->val.failed = error.val.other;
    return false;
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
  sprintf(result, "{\"count\":%llu}", (unsigned long long)count);
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

static bool setting(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  plugin_string_t key;
  plugin_option_string_t value;
  wasi_config_store_error_t error;
  plugin_string_set(&key, argument);
  if (!wasi_config_store_get(&key, &value, &error)) {
    err->tag = PI_TOOL_TYPES_ERROR_FAILED;
    err->val.failed = error.val.io;
    return false;
  }
  size_t written = (size_t)sprintf(result, "{\"value\":");
  size_t quoted = value.is_some ? json_quote((const char *)value.val.ptr, value.val.len, result + written, sizeof result - written - 2) : 0;
  if (value.is_some && quoted == 0) return fail(PI_TOOL_TYPES_ERROR_LIMIT, "the setting is too long", err);
  strcpy(result + written + quoted, value.is_some ? "}" : "null}");
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

static bool say(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  plugin_string_t context, text;
  (void)err;
  plugin_string_set(&context, "reference");
  plugin_string_set(&text, argument);
  wasi_logging_logging_log(WASI_LOGGING_LOGGING_LEVEL_INFO, &context, &text);
  return answer(PI_TOOL_TYPES_CONTENT_TEXT, "said", ret);
}

static bool spin(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  volatile uint64_t turns = 0;
  (void)ret, (void)err;
  for (;;) turns++;
}

static bool grow(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  // Each step holds the address of the one before it.
  void *last = NULL;
  unsigned long count = 0;
  (void)err;
  for (void *step; (step = malloc(GROW_STEP_BYTES)) != NULL; count++) {
    memset(step, 1, GROW_STEP_BYTES);
    memcpy(step, &last, sizeof last);
    last = step;
  }
  while (last != NULL) {
    void *before;
    memcpy(&before, last, sizeof before);
    free(last);
    last = before;
  }
  sprintf(result, "{\"refused_at_bytes\":%lu}", count * GROW_STEP_BYTES);
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

static bool flood(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  (void)err;
  ret->len = 1;
  ret->ptr = plugin_allocate(sizeof *ret->ptr);
  ret->ptr->tag = PI_TOOL_TYPES_CONTENT_TEXT;
  ret->ptr->val.text.ptr = plugin_allocate(FLOOD_BYTES);
  ret->ptr->val.text.len = FLOOD_BYTES;
  memset(ret->ptr->val.text.ptr, 'x', FLOOD_BYTES);
  return true;
}

static size_t attempt(size_t written, const char *name, bool is_escaped, const char *said) {
  written += (size_t)sprintf(result + written, "%s\"%s\":{\"escaped\":%s,\"said\":", written > 1 ? "," : "", name, is_escaped ? "true" : "false");
  written += json_quote(said, strlen(said), result + written, 1024);
  return written + (size_t)sprintf(result + written, "}");
}

static bool escape(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  size_t written = (size_t)sprintf(result, "{");
  (void)err;
  FILE *file = fopen("/etc/passwd", "r");
  written = attempt(written, "read_file", file != NULL, file ? "opened" : strerror(errno));
  file = fopen("/tmp/pi-host-escape", "w");
  written = attempt(written, "write_file", file != NULL, file ? "opened" : strerror(errno));
  DIR *folder = opendir("/");
  written = attempt(written, "list_folder", folder != NULL, folder ? "opened" : strerror(errno));
  char variables[64];
  int count = 0;
  while (environ != NULL && environ[count] != NULL) count++;
  sprintf(variables, "%d variables", count);
  written = attempt(written, "environment", count > 0, variables);
  // The C library for WASI 0.1 has neither connect nor getaddrinfo: the host's sockets are called without it.
  unsigned long port = 0;
  json_number((const char *)call_arguments->ptr, call_arguments->len, "port", &port);
  int code = sockets_connect((uint16_t)port);
  written = attempt(written, "connect", code < 0, sockets_error(code));
  code = sockets_resolve("localhost");
  written = attempt(written, "resolve", code < 0, sockets_error(code));
  strcpy(result + written, "}");
  return answer(PI_TOOL_TYPES_CONTENT_JSON, result, ret);
}

#define OBJECT(properties, required) \
  "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "],\"additionalProperties\":false}"
#define TEXT(name, description) \
  OBJECT("\"" name "\":{\"type\":\"string\",\"description\":\"" description "\"}", "\"" name "\"")
#define PORT                                                                                   \
  OBJECT("\"port\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535,\"description\":"      \
         "\"A TCP port of this machine on which something listens\"}", "\"port\"")

static const struct {
  const char *name, *description, *schema;
  // The text that it takes, if it takes one.
  const char *argument;
  bool writes;
  bool (*run)(exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err);
} TOOLS[] = {
    {"files", "The size and the first line of a file", TEXT("path", "Absolute, or relative to the project's folder"), "path", false, files},
    {"http", "The status and the first line of what a URL answers", TEXT("url", "Begins with `https://` or `http://`"), "url", false, http},
    {"store", "Count: add one to the number under a key, and return it", TEXT("key", "The name of the entry"), "key", true, store},
    {"setting", "The value of a setting", TEXT("key", "The name of the entry"), "key", false, setting},
    {"say", "Say something in the journal", TEXT("text", "What the journal shall say"), "text", false, say},
    {"spin", "Never return", OBJECT("", ""), NULL, false, spin},
    {"grow", "Allocate until it is refused", OBJECT("", ""), NULL, false, grow},
    {"flood", "Return far too much", OBJECT("", ""), NULL, false, flood},
    {"escape", "Try to get out by the language's own library, and tell how each attempt ended", PORT, NULL, false, escape},
};
#define TOOLS_COUNT (sizeof TOOLS / sizeof TOOLS[0])

void exports_pi_tool_tool_definitions(exports_pi_tool_tool_list_definition_t *ret) {
  ret->len = TOOLS_COUNT;
  ret->ptr = plugin_allocate(sizeof *ret->ptr * TOOLS_COUNT);
  for (size_t i = 0; i < TOOLS_COUNT; i++) {
    plugin_string_dup(&ret->ptr[i].name, TOOLS[i].name);
    plugin_string_dup(&ret->ptr[i].description, TOOLS[i].description);
    plugin_string_dup(&ret->ptr[i].input_schema, TOOLS[i].schema);
    ret->ptr[i].effect = TOOLS[i].writes ? PI_TOOL_TYPES_EFFECT_WRITE : PI_TOOL_TYPES_EFFECT_READ;
    ret->ptr[i].idempotent = !TOOLS[i].writes;
  }
}

bool exports_pi_tool_tool_call(plugin_string_t *name, plugin_string_t *arguments,
                               exports_pi_tool_tool_list_content_t *ret, pi_tool_types_error_t *err) {
  for (size_t i = 0; i < TOOLS_COUNT; i++) {
    if (name->len != strlen(TOOLS[i].name) || memcmp(name->ptr, TOOLS[i].name, name->len) != 0) continue;
    if (TOOLS[i].argument != NULL &&
        !json_string((const char *)arguments->ptr, arguments->len, TOOLS[i].argument, argument, sizeof argument))
      return fail(PI_TOOL_TYPES_ERROR_INVALID_ARGUMENTS, "the argument must be a text of less than 4096 bytes", err);
    call_arguments = arguments;
    return TOOLS[i].run(ret, err);
  }
  return fail(PI_TOOL_TYPES_ERROR_NOT_FOUND, "the plugin has no tool of this name", err);
}
