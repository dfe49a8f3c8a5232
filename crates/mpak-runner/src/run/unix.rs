//! Process groups, signals and the end of everything, on Unix.

use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getppid};

use super::{Ended, Plan, Prepare, RunError};
use crate::sandbox::{die_with_parent, give_back};

/// How long a process may take to end after SIGTERM before SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How often the end of a group is looked for.
const TICK: Duration = Duration::from_millis(10);

/// How often the host is looked for where the kernel does not tell of its death.
const HOST_CHECK: Duration = Duration::from_secs(1);

/// Signals that are passed on to the server.
const FORWARDED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

/// What the kernel sends to the launcher when the host dies. Nobody else sends it, so it cannot be mistaken
/// for a wish of the host.
#[cfg(target_os = "linux")]
const HOST_DIED: Signal = Signal::SIGPWR;

pub(super) fn run(plan: &Plan) -> Result<Ended, RunError> {
    let mut command = Command::new(&plan.program);
    command.args(&plan.args).env_clear().envs(&plan.env).current_dir(&plan.cwd);
    let ended = Watch::start(&mut command, true)?;
    Ok(ended)
}

pub(super) fn prepare(step: &Prepare) -> Result<Ended, RunError> {
    let mut command = Command::new(&step.program);
    command.args(&step.args).env_clear().envs(&step.env).current_dir(&step.cwd);
    command.stdin(Stdio::null()).stdout(io::stderr());
    Watch::start(&mut command, false)
}

/// One child under watch.
struct Watch {
    child: Child,
    /// Its process group; `None` where it shares the launcher's.
    group: Option<Pid>,
    signals: Signals,
    host: Pid,
}

impl Watch {
    /// Starts a command and stays to its end. `last`: the launcher itself needs its streams no more.
    fn start(command: &mut Command, last: bool) -> Result<Ended, RunError> {
        let watch_error = |source| RunError::Watch { source };
        let program = command.get_program().into();

        // 1. signals, before there is a child to miss them for
        let host = getppid();
        let signals = Signals::take(host).map_err(watch_error)?;

        // 2. the child, in a group of its own unless a person sits in front of it
        let own_group = !io::stdin().is_terminal();
        if own_group {
            command.process_group(0);
        }
        die_with_parent::arrange(command);
        let child = command.spawn().map_err(|source| RunError::Start { program, source })?;
        let group = own_group.then(|| Pid::from_raw(child.id().cast_signed()));
        if last {
            let_go_of_streams();
            give_back::code_pages();
        }

        // 3. to its end
        let mut watch = Self { child, group, signals, host };
        let ended = watch.stay().map_err(watch_error)?;

        // 4. and to the end of what it left behind
        watch.end_the_rest();
        Ok(ended)
    }

    fn stay(&mut self) -> io::Result<Ended> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(how(status));
            }
            reap_orphans_but(self.child.id());
            self.signals.wait(host_check())?;
            for signal in self.signals.arrived() {
                self.forward(signal);
            }
            if getppid() != self.host {
                self.end_child()?;
                return Ok(Ended::HostGone);
            }
        }
    }

    fn forward(&self, signal: Signal) {
        // from a terminal these reach the whole foreground group by themselves
        if self.group.is_none() && matches!(signal, Signal::SIGINT | Signal::SIGQUIT) {
            return;
        }
        self.send(signal);
    }

    /// To the group, or to the child alone. It may have ended already.
    fn send(&self, signal: Signal) {
        let _gone = match self.group {
            Some(group) => killpg(group, signal),
            None => kill(Pid::from_raw(self.child.id().cast_signed()), signal),
        };
    }

    fn end_child(&mut self) -> io::Result<()> {
        self.send(Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while self.child.try_wait()?.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.send(Signal::SIGKILL);
                self.child.wait()?;
                return Ok(());
            }
            self.signals.wait(Some(left))?;
        }
        Ok(())
    }

    /// Ends what is left of the group, and what left the group but not the family.
    fn end_the_rest(&self) {
        let Some(group) = self.group else { return };
        let left = || {
            reap();
            killpg(group, None) != Err(Errno::ESRCH) || !orphans().is_empty()
        };
        let send = |signal| {
            let _gone = killpg(group, signal);
            for orphan in orphans() {
                let _gone = kill(orphan, signal);
            }
        };
        if !left() {
            return;
        }
        send(Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while left() {
            if Instant::now() >= deadline {
                send(Signal::SIGKILL);
            }
            if Instant::now() >= deadline + GRACE {
                return;
            }
            std::thread::sleep(TICK);
        }
    }
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

/// Processes that a member of the group left behind: as the nearest subreaper the launcher inherits them.
fn orphans() -> Vec<Pid> {
    let path = format!("/proc/self/task/{}/children", Pid::this());
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

/// Takes ended orphans off the process table while the child still runs.
fn reap_orphans_but(child: u32) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::wait::{Id, waitid};
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Some(pid) = waitid(Id::All, look).ok().and_then(|status| status.pid()) {
            if pid.as_raw() == child.cast_signed() || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
                return;
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Takes the ended orphans off the process table.
fn reap() {
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status.pid().is_some()) {}
}

/// The server alone holds the streams now, so that the host sees their end when the server closes them.
fn let_go_of_streams() {
    if let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        let _kept = nix::unistd::dup2_stdin(&null);
        let _kept = nix::unistd::dup2_stdout(&null);
    }
}

fn host_check() -> Option<Duration> {
    if cfg!(target_os = "linux") { None } else { Some(HOST_CHECK) }
}

/// Signals as flags, and a pipe that wakes a sleeping `read`.
struct Signals {
    wake: UnixStream,
    flags: Vec<(Signal, Arc<AtomicBool>)>,
}

impl Signals {
    /// Takes over the forwarded signals, the end of children and the death of the host.
    fn take(host: Pid) -> io::Result<Self> {
        let (wake, write) = UnixStream::pair()?;
        let mut flags = Vec::new();
        for signal in FORWARDED {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal as i32, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal as i32, write.try_clone()?)?;
            flags.push((signal, flag));
        }
        signal_hook::low_level::pipe::register(Signal::SIGCHLD as i32, write.try_clone()?)?;
        #[cfg(target_os = "linux")]
        {
            use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
            signal_hook::low_level::pipe::register(HOST_DIED as i32, write)?;
            set_pdeathsig(HOST_DIED)?;
            set_child_subreaper(true)?;
        }
        // the host may have died before the kernel was told to tell
        if getppid() != host {
            return Err(io::Error::other("the host is gone"));
        }
        Ok(Self { wake, flags })
    }

    /// Sleeps until a signal comes or the time is over.
    fn wait(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        self.wake.set_read_timeout(at_most)?;
        match self.wake.read(&mut [0; 64]) {
            Ok(_) => Ok(()),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn arrived(&self) -> Vec<Signal> {
        self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst)).map(|(signal, _)| *signal).collect()
    }
}
