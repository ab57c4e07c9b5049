/// State of one port.
#[derive(Debug, Default)]
pub(super) struct Rates {}
