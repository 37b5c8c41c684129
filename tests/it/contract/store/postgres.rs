//! What only a store of many nodes can be asked: locks held by others, transactions left open, servers that do not answer.
