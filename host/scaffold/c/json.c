#include "json.h"

#include <string.h>

typedef struct {
  const char *at;
  const char *end;
} reader;

static void skip_blanks(reader *r) {
  while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != '\0') r->at++;
}

static bool take(reader *r, char wanted) {
  skip_blanks(r);
  if (r->at >= r->end || *r->at != wanted) return false;
  r->at++;
  return true;
}

static bool hex4(reader *r, unsigned *out) {
  if (r->end - r->at < 4) return false;
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    char c = *r->at++;
    unsigned digit;
    if (c >= '0' && c <= '9') digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f') digit = (unsigned)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F') digit = (unsigned)(c - 'A') + 10;
    else return false;
    value = value * 16 + digit;
  }
  *out = value;
  return true;
}

static size_t utf8(unsigned code, char *out) {
  if (code < 0x80) return out[0] = (char)code, 1;
  if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 0x3f)), 2;
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    return out[2] = (char)(0x80 | (code & 0x3f)), 3;
  }
  out[0] = (char)(0xf0 | code >> 18), out[1] = (char)(0x80 | (code >> 12 & 0x3f));
  out[2] = (char)(0x80 | (code >> 6 & 0x3f)), out[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

// A string from its opening quote on. What does not fit into `out` is read and not kept.
static bool string(reader *r, char *out, size_t bytes_max, bool *fits) {
  size_t length = 0;
  *fits = bytes_max > 0;
  if (!take(r, '"')) return false;
  while (r->at < r->end && *r->at != '"') {
    char part[4];
    size_t bytes = 1;
    part[0] = *r->at++;
    if (part[0] == '\\') {
      if (r->at >= r->end) return false;
      char c = *r->at++;
      const char *plain = strchr("\"\\/bfnrt", c);
      if (c == 'u') {
        unsigned code, low;
        if (!hex4(r, &code)) return false;
        if (code >= 0xd800 && code < 0xdc00) {
          if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') return false;
          r->at += 2;
          if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff) return false;
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        // A zero would end the C string early: a path would not be the one that was judged.
        if (code == 0) *fits = false;
        bytes = utf8(code, part);
      } else if (plain != NULL && c != '\0') {
        part[0] = "\"\\/\b\f\n\r\t"[plain - "\"\\/bfnrt"];
      } else {
        return false;
      }
    }
    if (length + bytes < bytes_max) memcpy(out + length, part, bytes);
    else *fits = false;
    length += bytes;
  }
  if (*fits) out[length] = '\0';
  return take(r, '"');
}

// Read over a value of any kind; depth is counted, not recursed into.
static bool skip_value(reader *r) {
  size_t depth = 0;
  do {
    skip_blanks(r);
    if (r->at >= r->end) return false;
    char c = *r->at;
    bool fits;
    if (c == '"') {
      if (!string(r, NULL, 0, &fits)) return false;
    } else {
      r->at++;
      if (c == '{' || c == '[') depth++;
      else if (c == '}' || c == ']') depth--;
      else if (c != ',' && c != ':')
        while (r->at < r->end && strchr(",:]} \t\r\n", *r->at) == NULL) r->at++;
    }
  } while (depth > 0);
  return true;
}

static bool find(reader *r, const char *key) {
  if (!take(r, '{')) return false;
  do {
    char name[64];
    bool fits;
    if (!string(r, name, sizeof name, &fits) || !take(r, ':')) return false;
    if (fits && strcmp(name, key) == 0) return true;
    if (!skip_value(r)) return false;
  } while (take(r, ','));
  return false;
}

bool json_string(const char *text, size_t length, const char *key, char *out, size_t bytes_max) {
  reader r = {text, text + length};
  bool fits;
  return find(&r, key) && string(&r, out, bytes_max, &fits) && fits;
}

bool json_number(const char *text, size_t length, const char *key, unsigned long *out) {
  reader r = {text, text + length};
  if (!find(&r, key)) return false;
  skip_blanks(&r);
  const char *begin = r.at;
  unsigned long value = 0;
  while (r.at < r.end && *r.at >= '0' && *r.at <= '9') {
    unsigned long digit = (unsigned long)(*r.at++ - '0');
    if (value > (~0UL - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return r.at > begin;
}

// How many bytes the UTF-8 character at `s` has; 0 if it is none.
static size_t character(const unsigned char *s, size_t left) {
  size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
  if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
  return n;
}

size_t json_quote(const char *bytes, size_t length, char *out, size_t bytes_max) {
  const unsigned char *in = (const unsigned char *)bytes;
  size_t written = 0;
  if (bytes_max < 2) return 0;
  out[written++] = '"';
  for (size_t i = 0; i < length;) {
    // The longest that one character becomes, and the closing quote.
    if (bytes_max - written < 7) return 0;
    size_t n = character(in + i, length - i);
    if (n == 0) {
      memcpy(out + written, "\xef\xbf\xbd", 3);
      written += 3, i++;
    } else if (in[i] == '"' || in[i] == '\\') {
      out[written++] = '\\', out[written++] = (char)in[i++];
    } else if (in[i] < 0x20) {
      memcpy(out + written, "\\u00", 4);
      out[written + 4] = "01"[in[i] >> 4], out[written + 5] = "0123456789abcdef"[in[i] & 15];
      written += 6, i++;
    } else {
      memcpy(out + written, in + i, n);
      written += n, i += n;
    }
  }
  out[written++] = '"';
  return written;
}
