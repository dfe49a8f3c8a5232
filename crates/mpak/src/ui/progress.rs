//! Progress of long work, on stderr, only where a person sits in front of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar with bytes, rate and what is happening; gone when dropped.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts a bar over a number of bytes.
    pub fn bytes(title: &str, total: u64) -> Self {
        let target = if super::interactive() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let form = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        bar.set_style(ProgressStyle::with_template(form).expect("a valid form"));
        bar.set_message(super::safe(title));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Sets how far it is.
    pub fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
