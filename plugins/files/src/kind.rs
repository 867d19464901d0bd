//! Telling text from other bytes, and which kind of bytes they are.

/// The beginning of a file is looked at this far.
const LOOK_BYTES: usize = 8 << 10;

/// What a file begins with, and its media type.
const BEGINNINGS: [(&[u8], &str); 11] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\0asm", "application/wasm"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
];

/// A NUL, or the beginning of a known binary format. Bytes that are merely not UTF-8 are text in
/// some other encoding.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..LOOK_BYTES).unwrap_or(bytes);
    beginning.contains(&0) || media_type(bytes) != "application/octet-stream"
}

pub(crate) fn media_type(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return "image/webp";
    }
    BEGINNINGS
        .iter()
        .find(|(beginning, _)| bytes.starts_with(beginning))
        .map_or("application/octet-stream", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_binary_from_text() {
        assert!(
            is_binary(b"a\0b") && is_binary(b"%PDF-1.7\n") && !is_binary("größe".as_bytes()) && !is_binary(b"\xe9")
        );
    }

    #[test]
    fn names_the_media_type() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\nrest"), "image/png");
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp");
        assert_eq!(media_type(b"\0\x01"), "application/octet-stream");
    }
}
