//! The transport from outside, over raw sockets.

mod echo;
mod first;
mod forward;
mod life;
mod raw;
