//! Long work whose end is not known: a spinner with the time for a person, one plain line otherwise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Work going on; ends when dropped.
pub struct Working(Option<ProgressBar>);

impl Working {
    /// Starts telling. `quiet` tells nothing (with `--json`).
    pub fn start(message: &str, quiet: bool) -> Self {
        if quiet {
            return Self(None);
        }
        if !super::interactive() {
            super::note(&super::safe(message));
            return Self(None);
        }
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("the template is ours");
        let bar = ProgressBar::new_spinner().with_style(style).with_message(super::safe(message));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
