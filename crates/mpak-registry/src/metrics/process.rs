//! What Linux says of this process, under Prometheus's own names; nothing on other systems.

use std::fs;

/// Ticks of a second in `/proc`; the same on every Linux that this program is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Names and values.
pub(super) fn numbers() -> Vec<(&'static str, f64)> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut numbers = Vec::new();
    for (name, line) in [("process_resident_memory_bytes", "VmRSS:"), ("process_virtual_memory_bytes", "VmSize:")] {
        numbers.extend(line_value(&status, line).map(|value| (name, value * 1024.0)));
    }
    numbers.extend(line_value(&status, "Threads:").map(|value| ("process_threads", value)));
    numbers.extend(cpu_seconds(&stat).map(|value| ("process_cpu_seconds_total", value)));
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        numbers.push(("process_open_fds", f64::from(u32::try_from(open.count()).unwrap_or(u32::MAX))));
    }
    numbers
}

fn line_value(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time: the 14th and 15th field; the second may hold spaces and ends with `)`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(line_value("VmRSS:\t  12 kB\nThreads:\t3\n", "Threads:"), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_files() {
        let numbers = numbers();
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
            assert!(numbers.iter().any(|(n, value)| *n == name && *value >= 0.0), "{name}");
        }
    }
}
