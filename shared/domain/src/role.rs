//! Who may do what.

use crate::text::text_enum;

text_enum! {
    /// What a caller may do: `admin` everything, `operator` the daily work, `worker` the queue protocol, `viewer` looking.
    Role("role") {
        /// Everything, keys and users included.
        Admin = "admin",
        /// Submits, answers, approves, cancels, pauses.
        Operator = "operator",
        /// A remote worker: claims and reports, nothing else.
        Worker = "worker",
        /// Looks.
        Viewer = "viewer",
    }
}

text_enum! {
    /// One thing a caller may be allowed to do.
    Permission("permission") {
        /// See tasks, queues, workers, sessions, chat and events.
        Read = "read",
        /// Submit, change, cancel and retry tasks, upload files, write in the chat.
        Submit = "submit",
        /// Answer questions, approve and reject.
        Answer = "answer",
        /// Pause queues, end sessions, re-queue dead letters, remove workers.
        Operate = "operate",
        /// Speak the worker protocol: register, claim, heartbeat, complete, fail.
        Work = "work",
        /// Manage API keys and projects.
        Administer = "administer",
    }
}

impl Role {
    /// Whether this role includes `permission`.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Admin => true,
            Self::Operator => matches!(permission, P::Read | P::Submit | P::Answer | P::Operate),
            Self::Worker => matches!(permission, P::Read | P::Work),
            Self::Viewer => matches!(permission, P::Read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        let row = |role: &Role| {
            let may = Permission::ALL.iter().filter(|&&permission| role.may(permission)).map(|p| p.as_str());
            format!("{role}: {}", may.collect::<Vec<_>>().join(" "))
        };
        let matrix = Role::ALL.iter().map(row).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(matrix, @r"
        admin: read submit answer operate work administer
        operator: read submit answer operate
        worker: read work
        viewer: read
        ");
    }
}
