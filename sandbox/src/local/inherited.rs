//! Descriptors that this process was started with and would hand on. A job must not get them: whoever started us may have
//! left a folder, a socket or a log open.

use std::{
    fs::{self, File},
    io,
    os::fd::RawFd,
    sync::OnceLock,
};

use command_fds::FdMapping;

const CLOSE_ON_EXEC: u32 = 0o2_000_000;

/// Mappings that put `/dev/null` where an inherited descriptor would be, for numbers from `first` on.
pub(super) fn covers(first: usize) -> io::Result<Vec<FdMapping>> {
    // Looked up once: what this program opens itself is never handed on.
    static INHERITED: OnceLock<Vec<RawFd>> = OnceLock::new();
    let inherited = INHERITED.get_or_init(|| list().unwrap_or_default());
    let above = inherited.iter().copied().filter(|fd| usize::try_from(*fd).is_ok_and(|fd| fd >= first));
    above.map(|child_fd| Ok(FdMapping { parent_fd: File::open("/dev/null")?.into(), child_fd })).collect()
}

fn list() -> io::Result<Vec<RawFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse::<RawFd>();
        let flags = fs::read_to_string(entry.path()).ok().and_then(|info| flags(&info));
        if let (Ok(fd @ 3..), Some(flags)) = (number, flags)
            && flags & CLOSE_ON_EXEC == 0
        {
            found.push(fd);
        }
    }
    Ok(found)
}

fn flags(info: &str) -> Option<u32> {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_format() {
        assert_eq!(flags("pos:\t0\nflags:\t02100000\nmnt_id:\t3\n"), Some(0o2_100_000));
    }

    #[test]
    fn what_we_open_ourselves_is_not_handed_on() {
        use std::os::fd::AsRawFd;
        let ours = File::open("/dev/null").unwrap();
        assert!(!list().unwrap().contains(&ours.as_raw_fd()));
    }
}
