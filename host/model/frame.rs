//! What a stream consists of, whichever way it is framed.

/// One event of a stream.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Empty where the protocol names its events in the data.
    pub(super) name: &'a str,
    /// Whether it tells of an error instead.
    pub(super) is_exception: bool,
    pub(super) data: &'a [u8],
    /// Where in the stream it began.
    pub(super) at: u64,
}

#[derive(Debug)]
pub(super) enum FrameError {
    TooLarge(String),
    Broken { at: u64, reason: String },
}

/// Finds the events in pieces that may be cut anywhere.
pub(super) trait Framer: Send {
    fn push(&mut self, bytes: &[u8]);

    /// The next event, where there is a whole one.
    fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError>;

    /// What is left at the end of the stream.
    fn end(&mut self) -> Result<Option<Frame<'_>>, FrameError>;
}
