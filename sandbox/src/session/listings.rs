//! Listings, page by page. A page holds no more than was asked for; how many pages there may be is the caller's to say,
//! because a guest can go on for ever.

use super::Session;
use crate::contract::{Listing, Page};
use crate::error::CallError;
use crate::guest::Guest;

macro_rules! listings {
    ($($(#[$doc:meta])* $name:ident = $interface:ident;)*) => {
        impl Session {$(
            $(#[$doc])*
            pub async fn $name(&mut self, page: &Page) -> Result<Listing, CallError> {
                let (origin, wall) = (self.origin(), self.wall);
                let guest = self.connected().await?;
                guest.begin(wall)?;
                let (adapter, store) = guest.parts();
                let calling = adapter.$interface().call_list(store, page);
                let outcome = Guest::bounded(&origin, wall, calling).await;
                let listing = guest.finish(wall, outcome)?;
                let (found, most) = (listing.items.len(), page.limit.max(1));
                if found > usize::try_from(most).unwrap_or(usize::MAX) {
                    return Err(guest.refuse(format!("{found} objects on a page of {most}")));
                }
                Ok(listing)
            }
        )*}
    };
}

listings! {
    /// The databases.
    list_databases = dbprovision_adapter_database_operations;
    /// The accounts.
    list_users = dbprovision_adapter_user_operations;
    /// The roles.
    list_roles = dbprovision_adapter_role_operations;
}
