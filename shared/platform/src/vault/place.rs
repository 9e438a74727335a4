//! What a ciphertext belongs to.

/// Where a sealed value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row's id within its tenant.
    pub row: &'a str,
}

/// Associated data: what it is for, and its parts, each with its length before it, so that no two lists of parts give the
/// same bytes.
pub(super) fn associated(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    for part in core::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::associated;
    use proptest::prelude::*;

    #[test]
    fn a_part_does_not_run_into_the_next() {
        assert_ne!(associated("x", &[b"ab", b"c"]), associated("x", &[b"a", b"bc"]));
        assert_ne!(associated("x", &[b"a", b""]), associated("x", &[b"a"]));
        assert_ne!(associated("xa", &[]), associated("x", &[b"a"]));
    }

    proptest! {
        #[test]
        fn other_parts_are_other_bytes(one in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..3), 0..4), other in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..3), 0..4)) {
            let bytes = |parts: &Vec<Vec<u8>>| associated("x", &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
        }
    }
}
