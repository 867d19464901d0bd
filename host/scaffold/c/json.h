// The little JSON that a plugin needs: read a member of the arguments, write a string of the result.
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// The string under `key` of the JSON object in `text`, unescaped, with a closing zero. False if it is not
// there, is no string, or has more than `bytes_max - 1` bytes.
bool json_string(const char *text, size_t length, const char *key, char *out, size_t bytes_max);

// The number under `key`, not negative. False if it is not there, or is none.
bool json_number(const char *text, size_t length, const char *key, unsigned long *out);

// Write `length` bytes as a JSON string with its quotes; what is no UTF-8 becomes U+FFFD. Returns how
// many bytes were written, 0 if `bytes_max` do not hold them. Six times the length and two always do.
size_t json_quote(const char *bytes, size_t length, char *out, size_t bytes_max);

#endif
