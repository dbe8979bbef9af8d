//! The adapter against real servers: MariaDB 10.11 and 11.8 and MySQL 9, as superuser and as an administrator who is
//! none. Natively, over TCP; the same code runs in the component.

#[cfg(test)]
mod active;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod folded;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod meek;
#[cfg(test)]
mod moved_hosts;
#[cfg(test)]
mod narrowed;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod power;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod spellings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod users;
#[cfg(test)]
mod waits;
