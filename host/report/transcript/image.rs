//! Images on the page: only what is one by its bytes, of a few types that are pixels and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Most bytes of one image on a page.
const IMAGE_BYTES_MAX: usize = 4 << 20;

/// An image, by its type and its bytes. Invariant: the bytes begin as those of the type do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    mime: &'static str,
    bytes: Vec<u8>,
}

impl Image {
    /// The image that a tool says it has returned; none where it is another thing. SVG is none: it is a document.
    pub(super) fn read(mime: &str, base64: &str) -> Option<Self> {
        if base64.len() > IMAGE_BYTES_MAX * 4 / 3 + 4 {
            return None;
        }
        let bytes = BASE64.decode(base64).ok()?;
        let begins = |start: &[u8]| bytes.starts_with(start);
        let mime = match mime {
            "image/png" if begins(b"\x89PNG\r\n\x1a\n") => "image/png",
            "image/jpeg" if begins(b"\xff\xd8\xff") => "image/jpeg",
            "image/gif" if begins(b"GIF87a") || begins(b"GIF89a") => "image/gif",
            "image/webp" if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice()) => "image/webp",
            _ => return None,
        };
        Some(Self { mime, bytes })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Encoded anew, so that nothing stands there but what base64 is made of.
    pub(super) fn url(&self) -> String {
        format!("data:{};base64,{}", self.mime, BASE64.encode(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_an_image_by_its_bytes_is_one() {
        let png = BASE64.encode(b"\x89PNG\r\n\x1a\nrest");
        assert!(Image::read("image/png", &png).unwrap().url().starts_with("data:image/png;base64,iVBOR"));
        let script = BASE64.encode("<script>alert(1)</script>");
        for (mime, data) in [
            ("image/png", script.as_str()),
            ("image/svg+xml", &script),
            ("text/html", &png),
            ("image/jpeg", &png),
            ("image/png", "\"><script>"),
            ("image/png\"onerror=\"alert(1)", &png),
        ] {
            assert_eq!(Image::read(mime, data), None, "{mime}");
        }
        let large = BASE64.encode([b"\x89PNG\r\n\x1a\n".as_slice(), &vec![0; IMAGE_BYTES_MAX + 8]].concat());
        assert_eq!(Image::read("image/png", &large), None);
    }
}
