//! What a PostgreSQL client says, followed closely enough to know when it makes something durable.

use std::collections::HashMap;

/// A message longer than this is taken for a sign that this is no PostgreSQL client, and it is followed no longer.
const MAX_MESSAGE: usize = 64 << 20;

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The beginning of a message whose rest is still to come.
    rest: Vec<u8>,
    /// The first message has no type.
    begun: bool,
    lost: bool,
    in_transaction: bool,
    /// Prepared statements by name, and what is bound to each portal. As many as the client keeps.
    statements: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
}

impl Wire {
    /// The commits that end in this piece: `COMMIT`, or the text of a write outside of a transaction.
    pub(super) fn commits(&mut self, piece: &[u8]) -> Vec<String> {
        let mut commits = Vec::new();
        if self.lost {
            return commits;
        }
        self.rest.extend_from_slice(piece);
        let all = std::mem::take(&mut self.rest);
        let mut left = all.as_slice();
        loop {
            let kind = usize::from(self.begun);
            let Some(length) = left.get(kind..kind + 4) else { break };
            let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
            if !(4..MAX_MESSAGE).contains(&length) {
                self.lost = true;
                return commits;
            }
            let Some(message) = left.get(..kind + length) else { break };
            if self.begun {
                commits.extend(self.message(message[0], &message[5..]));
            }
            self.begun = true;
            left = &left[kind + length..];
        }
        self.rest = left.to_vec();
        commits
    }

    fn message(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut words = body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let mut word = || words.next().unwrap_or_default();
        match kind {
            b'Q' => {
                let sql = text(&word());
                self.simple(sql)
            }
            b'P' => {
                let (name, sql) = (word(), text(&word()));
                self.statements.insert(name, sql);
                None
            }
            b'B' => {
                let (portal, name) = (word(), word());
                let sql = self.statements.get(&name).cloned().unwrap_or_default();
                self.portals.insert(portal, sql);
                None
            }
            b'E' => self.portals.get(&word()).filter(|sql| !self.in_transaction && writes(sql)).cloned(),
            b'C' => {
                let name = word();
                if let Some((b'S', name)) = name.split_first() {
                    self.statements.remove(name);
                }
                None
            }
            _ => None,
        }
    }

    fn simple(&mut self, sql: String) -> Option<String> {
        let first = sql.split_whitespace().next().unwrap_or_default().trim_end_matches(';').to_ascii_uppercase();
        match first.as_str() {
            "BEGIN" => self.in_transaction = true,
            "COMMIT" => return std::mem::take(&mut self.in_transaction).then(|| "COMMIT".to_owned()),
            // To a savepoint: the transaction goes on.
            "ROLLBACK" => self.in_transaction &= sql.to_ascii_uppercase().contains(" TO "),
            _ => return (!self.in_transaction && writes(&sql)).then_some(sql),
        }
        None
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn writes(sql: &str) -> bool {
    let sql = sql.replace("FOR UPDATE", "");
    ["INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().any(|word| sql.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "WITH due AS (SELECT 1 FOR UPDATE SKIP LOCKED) UPDATE orders SET status = 'claimed'";

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    fn startup() -> Vec<u8> {
        message(b'-', b"\0\x03\0\0user\0me\0\0")[1..].to_vec()
    }

    fn prepared(name: &str, sql: &str) -> Vec<u8> {
        message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
    }

    fn run(name: &str) -> Vec<u8> {
        let bound = message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes());
        [bound, message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat()
    }

    #[test]
    fn a_write_is_a_commit_only_outside_of_a_transaction() {
        let mut wire = Wire::default();
        assert_eq!(wire.commits(&startup()), [""; 0]);
        assert_eq!(wire.commits(&[prepared("s1", WRITE), prepared("s2", "SELECT 1 FOR UPDATE")].concat()), [""; 0]);
        assert_eq!(wire.commits(&run("s1")), [WRITE]);
        assert_eq!(wire.commits(&run("s2")), [""; 0]);
        assert_eq!(wire.commits(&message(b'Q', b"BEGIN ISOLATION LEVEL READ COMMITTED\0")), [""; 0]);
        assert_eq!(wire.commits(&run("s1")), [""; 0]);
        assert_eq!(wire.commits(&message(b'Q', b"COMMIT\0")), ["COMMIT"]);
        assert_eq!(wire.commits(&message(b'Q', b"DELETE FROM orders\0")), ["DELETE FROM orders"]);
    }

    #[test]
    fn messages_may_come_in_any_pieces() {
        let all = [startup(), prepared("s1", WRITE), run("s1"), message(b'Q', b"BEGIN\0"), message(b'Q', b"COMMIT\0")];
        let mut wire = Wire::default();
        let commits: Vec<_> = all.concat().iter().flat_map(|byte| wire.commits(&[*byte])).collect();
        assert_eq!(commits, [WRITE, "COMMIT"]);
    }

    #[test]
    fn what_is_no_postgresql_is_let_alone() {
        let mut wire = Wire::default();
        assert_eq!(wire.commits(b"*1\r\n$4\r\nPING\r\n"), [""; 0]);
        assert!(wire.lost && wire.rest.is_empty());
    }
}
