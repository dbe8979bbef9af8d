//! The adapter against real servers: every installed version, as superuser and as an administrator who is none.
//! Natively, over TCP; the same code runs in the component.

#[cfg(test)]
mod databases;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod intruders;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod users;
