//! A component of ACT, made by ACT's own kit: what others publish for that host. `noop` does nothing, and is what
//! benches/mcp/act.py measures; of the others each answers in one way, or misbehaves in one.

use act_sdk::prelude::*;

#[act_component]
mod component {
    use super::*;

    #[act_tool(description = "Does nothing", read_only)]
    fn noop() -> ActResult<String> {
        Ok(String::new())
    }

    #[act_tool(description = "Greets somebody", read_only, idempotent)]
    fn greet(
        #[doc = "Who is greeted"] name: String,
        times: Option<u32>,
    ) -> ActResult<String> {
        Ok(vec![format!("hello {name}"); times.unwrap_or(1) as usize].join(", "))
    }

    /// By a stream.
    #[act_tool(description = "Counts", streaming)]
    fn count(to: u32, ctx: &mut ActContext) -> ActResult<()> {
        (1..=to).for_each(|number| ctx.send_text(number.to_string()));
        Ok(())
    }

    /// By a stream, and with an error at its end.
    #[act_tool(description = "Deletes two of three")]
    async fn half(ctx: &mut ActContext) -> ActResult<()> {
        ctx.send_text("deleted a");
        ctx.send_text("deleted b");
        Err(ActError::not_found("there is no c"))
    }

    #[act_tool(description = "Says what goes along with the call", read_only)]
    fn settings(ctx: &mut ActContext<std::collections::BTreeMap<String, String>>) -> ActResult<()> {
        let settings: Vec<String> = ctx.metadata().iter().map(|(key, value)| format!("{key}={value}")).collect();
        ctx.send_text(settings.join(", "));
        Ok(())
    }

    #[act_tool(description = "Measures, as CBOR", read_only)]
    fn measure() -> ActResult<std::collections::BTreeMap<String, Vec<f64>>> {
        Ok([("celsius".to_owned(), vec![7.5, f64::NAN])].into())
    }

    #[act_tool(description = "Measures, as JSON", read_only)]
    fn report() -> ActResult<Json<Vec<u32>>> {
        Ok(Json(vec![1, 2]))
    }

    #[act_tool(description = "Draws", read_only)]
    fn picture() -> ActResult<Content> {
        Ok(Content("image/png", b"\x89PNG\r\n".to_vec()))
    }

    #[act_tool(description = "Removes everything", destructive)]
    fn wipe() -> ActResult<String> {
        Err(ActError::internal("there is nothing"))
    }

    #[act_tool(description = "Reads a file", read_only)]
    fn look(path: String) -> ActResult<String> {
        std::fs::read_to_string(path).map_err(|error| ActError::capability_denied(error.to_string()))
    }

    #[act_tool(description = "Runs for ever", read_only)]
    fn spin() -> ActResult<String> {
        let mut number = 0_u64;
        loop {
            number = std::hint::black_box(number.wrapping_add(1));
        }
    }

    #[act_tool(description = "Sleeps for ever", read_only)]
    fn sleep() -> ActResult<String> {
        std::thread::sleep(std::time::Duration::from_secs(1 << 30));
        Ok(String::new())
    }

    #[act_tool(description = "Waits for ever", read_only)]
    async fn wait() -> ActResult<String> {
        nothing().await;
        Ok(String::new())
    }

    /// A stream that nobody ends.
    #[act_tool(description = "Begins to answer, and waits for ever", read_only)]
    async fn hang(ctx: &mut ActContext) -> ActResult<()> {
        ctx.send_text("never seen");
        nothing().await;
        Ok(())
    }

    /// What nobody writes.
    async fn nothing() {
        let (_writer, mut reader) = wit_stream::new::<act::tools::types::ToolEvent>();
        let _ = reader.next().await;
    }

    #[act_tool(description = "Answers with so many bytes", read_only)]
    fn flood(bytes: u32) -> ActResult<Vec<u8>> {
        Ok(vec![0; bytes as usize])
    }

    #[act_tool(description = "Answers with so many parts of nothing", read_only)]
    fn crumbs(parts: u32, ctx: &mut ActContext) -> ActResult<()> {
        (0..parts).for_each(|_| ctx.send_text(""));
        Ok(())
    }

    #[act_tool(description = "Answers with CBOR of so many levels", read_only)]
    fn deep(levels: u32) -> ActResult<Content> {
        let mut bytes = vec![0x81; levels as usize];
        bytes.push(0);
        Ok(Content("application/cbor", bytes))
    }

    #[act_tool(description = "Takes more memory than there is", read_only)]
    fn hoard() -> ActResult<String> {
        let mut held = Vec::new();
        loop {
            held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }

    #[act_tool(description = "Says what it was not asked for", read_only)]
    fn odd(_arguments: Odd) -> ActResult<String> {
        Ok("odd".into())
    }
}

/// Arguments whose schema is made when the tools are listed: with the feature `endless` that takes more memory than
/// there is.
pub struct Odd;

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: act_sdk::__private::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <bool as Deserialize>::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for Odd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Odd".into()
    }

    fn json_schema(generator: &mut act_sdk::__private::schemars::SchemaGenerator) -> act_sdk::__private::schemars::Schema {
        let mut held = Vec::new();
        while cfg!(feature = "endless") {
            held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
        bool::json_schema(generator)
    }
}
