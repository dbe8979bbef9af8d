//! The adapter against real servers: every installed version, as superuser and as an administrator who is none.
//! Natively, over TCP; the same code runs in the component.


mod databases;
mod faults;
mod scripts;
mod support;
mod users;
