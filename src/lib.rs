//! Rookery: a horizontally scalable chat cluster for plain Socket.IO clients.

pub mod config;
pub mod domain;
pub mod telemetry;

pub mod chat;

pub mod rest;

pub mod web;

pub mod protocol;

pub mod auth;

pub mod bus;
pub mod store;

pub mod gateway;

pub mod app;
