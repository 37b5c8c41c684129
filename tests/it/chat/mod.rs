//! The rules of the chat over a real store, with faults put between them.

mod scene;
mod scripted;

mod admission;
mod batches;
mod creation;
mod finish;
mod members;
mod order;
mod outbox;
mod people;
mod queries;
mod receipts;
mod unknown;
