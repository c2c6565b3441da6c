//! Diagnostics as text with snippets, and as JSON.
