//! Defects that tests plant, to show that the random schedules would find them.

/// What a planted sequencer does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Delivers what has been delivered.
    NoDedupe,
    /// Delivers what comes after a hole without waiting for the hole.
    NoHold,
    /// Never reads what is missing.
    NoRepair,
    /// Forgets what the poll says while no reader has a place yet.
    DeafWhileCold,
    /// Believes an attach point that is older than what the feed has seen since the reader joined.
    StalePoint,
    /// Gives a reader its place before the feed has come to its attach point.
    NoCatchUp,
    /// Delivers to readers whose backfill has not been written.
    LiveWhileJoining,
    /// Drops what was held for a reader.
    HeldForgotten,
    /// Keeps a user who was removed while the backfill was on its way.
    LeavingKept,
    /// Keeps whoever is removed.
    RemovedKept,
    /// Keeps readers over a change of the store's history.
    EpochIgnored,
}
