//! Names the SQL statements of a file and lists them, so that none escapes the test that prepares them all.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// All statements of this file.
        pub(super) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
