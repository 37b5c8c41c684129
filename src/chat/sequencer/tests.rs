//! Sentences about one feed on one node.
