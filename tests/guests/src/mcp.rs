//! Tools to try clients of the Model Context Protocol with: text, JSON, a picture, and a call that does not end.

use pi_sdk::{Blob, Content, Error, ToolPlugin, Value};

/// A PNG of one pixel.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x62, 0, 1, 0, 0, 5, 0, 1,
    0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

struct Mcp;

impl ToolPlugin for Mcp {
    const MANIFEST: &'static str = include_str!("../manifests/mcp.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "guest_echo" => Ok(vec![Content::Json(arguments.to_string())]),
            "guest_asked" => Ok(vec![Content::Text("done".into())]),
            "guest_picture" => Ok(vec![
                Content::Text("a picture".into()),
                Content::Blob(Blob { mime: "image/png".into(), bytes: PICTURE.to_vec() }),
            ]),
            "guest_wait" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(vec![Content::Text("waited".into())])
            }
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Mcp);
