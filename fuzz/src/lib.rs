//! What targets share.

/// Runs on a thread whose stack is large enough for syntax trees.
///
/// # Panics
/// When `run` does.
pub fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(mpak_scan::code::STACK_BYTES).spawn_scoped(scope, run);
        thread.unwrap().join().unwrap()
    })
}
