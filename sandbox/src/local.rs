//! The `local` level: Linux namespaces by bubblewrap, a system-call filter, rlimits, and a cgroup where one is writable.
