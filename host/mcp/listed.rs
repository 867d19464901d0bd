//! The tools as `tools/list` says them: turned into the protocol's form once, kept until the tools
//! change, and handed out in pages.

use std::collections::HashMap;
use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{ListToolsResult, Tool, ToolAnnotations};
use serde_json::{Map, Value};

use super::Offered;
use crate::gate::Severity;

/// Tools on a page, and the bytes of their schemas and descriptions together: a page is one message,
/// and some clients end the connection at a large one.
const PAGE_TOOLS_MAX: usize = 200;
const PAGE_BYTES_MAX: usize = 1 << 20;

/// All tools, of one moment.
pub(super) struct Listed {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    /// Where each page begins.
    pages: Vec<usize>,
    /// Distinguishes the cursors of this list from those of an earlier one.
    generation: u64,
}

impl Listed {
    pub(super) fn new(offered: Vec<Offered>, generation: u64) -> Self {
        let mut pages = vec![0];
        let mut by_name = HashMap::with_capacity(offered.len());
        let mut tools = Vec::with_capacity(offered.len());
        let (mut count, mut bytes) = (0, 0);
        for (index, offered) in offered.into_iter().enumerate() {
            let size = offered.description.len() + offered.input_schema.to_string().len();
            if count == PAGE_TOOLS_MAX || (count > 0 && bytes + size > PAGE_BYTES_MAX) {
                pages.push(index);
                (count, bytes) = (0, 0);
            }
            count += 1;
            bytes += size;
            by_name.insert(offered.name.clone(), index);
            tools.push(tool(offered));
        }
        Self { tools, by_name, pages, generation }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tool> {
        self.tools.get(*self.by_name.get(name)?)
    }

    /// The page that the cursor names; the first, without one.
    pub(super) fn page(&self, cursor: Option<&str>) -> Result<ListToolsResult, ErrorData> {
        let page = match cursor {
            None => 0,
            Some(cursor) => self.page_of(cursor).ok_or_else(|| {
                let text = "the cursor is not one of this list, which may have changed: list the tools from the start";
                ErrorData::invalid_params(text, None)
            })?,
        };
        let begin = self.pages.get(page).copied().unwrap_or(0);
        let end = self.pages.get(page + 1).copied();
        let tools = self.tools.get(begin..end.unwrap_or(self.tools.len())).unwrap_or_default();
        let mut result = ListToolsResult::with_all_items(tools.to_vec());
        result.next_cursor = end.map(|_| format!("{}.{}", self.generation, page + 1));
        Ok(result)
    }

    fn page_of(&self, cursor: &str) -> Option<usize> {
        let (generation, page) = cursor.split_once('.')?;
        let page = page.parse().ok()?;
        (generation.parse() == Ok(self.generation) && page < self.pages.len()).then_some(page)
    }
}

fn tool(offered: Offered) -> Tool {
    let mut tool = Tool::new(offered.name, offered.description, Arc::new(object(offered.input_schema)));
    let annotations = ToolAnnotations::from_raw(
        offered.title.clone(),
        Some(offered.effect == Severity::Read),
        Some(offered.effect == Severity::Destructive),
        Some(offered.idempotent),
        Some(offered.open_world),
    );
    tool.title = offered.title;
    tool.annotations = Some(annotations);
    tool
}

/// Clients refuse a whole list in which one schema does not say `"type": "object"`.
fn object(schema: Value) -> Map<String, Value> {
    let mut schema = match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    schema.insert("type".into(), "object".into());
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn offered(name: &str, description: &str) -> Offered {
        Offered {
            name: name.into(),
            title: Some("A title".into()),
            description: description.into(),
            input_schema: json!({ "properties": { "a": {} } }),
            effect: Severity::Write,
            idempotent: true,
            open_world: false,
        }
    }

    fn names(page: &ListToolsResult) -> Vec<&str> {
        page.tools.iter().map(|tool| tool.name.as_ref()).collect()
    }

    #[test]
    fn a_tool_is_told_with_its_schema_and_its_hints() {
        let listed = Listed::new(vec![offered("a", "does a")], 1);
        let tool = serde_json::to_value(listed.get("a").unwrap()).unwrap();
        assert_eq!(
            tool,
            json!({
                "name": "a",
                "title": "A title",
                "description": "does a",
                "inputSchema": { "properties": { "a": {} }, "type": "object" },
                "annotations": {
                    "title": "A title",
                    "readOnlyHint": false,
                    "destructiveHint": false,
                    "idempotentHint": true,
                    "openWorldHint": false,
                },
            })
        );
    }

    #[test]
    fn many_tools_come_in_pages_and_none_is_left_out() {
        let all: Vec<Offered> = (0..=2 * PAGE_TOOLS_MAX).map(|i| offered(&format!("t{i}"), "")).collect();
        let listed = Listed::new(all, 7);
        let (mut cursor, mut seen, mut pages) = (None, 0, 0);
        loop {
            let page = listed.page(cursor.as_deref()).unwrap();
            assert!(page.tools.len() <= PAGE_TOOLS_MAX);
            assert_eq!(names(&page).first().copied(), Some(format!("t{seen}").as_str()));
            seen += page.tools.len();
            pages += 1;
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((seen, pages), (2 * PAGE_TOOLS_MAX + 1, 3));
    }

    #[test]
    fn a_page_ends_at_its_bytes() {
        let long = "x".repeat(PAGE_BYTES_MAX / 2);
        let listed = Listed::new(vec![offered("a", &long), offered("b", &long), offered("c", "")], 1);
        let first = listed.page(None).unwrap();
        assert_eq!(names(&first), ["a"]);
        assert_eq!(names(&listed.page(first.next_cursor.as_deref()).unwrap()), ["b", "c"]);
    }

    #[test]
    fn a_cursor_that_is_none_is_an_error_that_says_what_to_do() {
        let listed = Listed::new(vec![offered("a", "")], 1);
        for cursor in ["", "1", "1.1", "0.0", "2.0", "x.y", "1.-1", "1.99999999999999999999"] {
            assert!(listed.page(Some(cursor)).unwrap_err().message.contains("from the start"), "{cursor}");
        }
    }
}
