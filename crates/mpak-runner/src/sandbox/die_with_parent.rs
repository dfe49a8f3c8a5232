//! A server never outlives its launcher: the kernel kills it when the launcher dies.
#![allow(unsafe_code, reason = "code between fork and exec is unsafe by nature")]

use std::process::Command;

/// Arranges that the kernel sends SIGKILL to the started program when this process dies, by whatever
/// signal. Linux only; elsewhere the server sees the end of its standard input.
pub(crate) fn arrange(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::io;
        use std::os::unix::process::CommandExt as _;

        use nix::sys::prctl::set_pdeathsig;
        use nix::sys::signal::Signal;
        use nix::unistd::{Pid, getppid};

        let launcher = Pid::this();
        // SAFETY: the closure runs in the child between fork and exec. It makes two system calls (prctl,
        // getppid), both async-signal-safe; it allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(move || {
                set_pdeathsig(Signal::SIGKILL)?;
                // the launcher died between fork and prctl
                if getppid() != launcher {
                    return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
                }
                Ok(())
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
