//! What holds a secret cannot be copied, shown or serialised: the build fails when somebody makes it so.

use crate::{Keyring, NewDataKey, SecretBytes, SecretString, TenantKeys, Vault, envelope::SivKey};

/// Has one implementation for every type, and another for each thing that a secret must not be: where a type is one of
/// them, nobody can say which is meant, and that does not compile.
trait Confined<Which> {
    const IS: () = ();
}

enum Cloned {}
enum Displayed {}
enum Serialised {}

impl<T> Confined<()> for T {}
impl<T: Clone> Confined<Cloned> for T {}
impl<T: std::fmt::Display> Confined<Displayed> for T {}
impl<T: serde::Serialize> Confined<Serialised> for T {}

const _: [(); 7] = [
    <SecretString as Confined<_>>::IS,
    <SecretBytes as Confined<_>>::IS,
    <SivKey as Confined<_>>::IS,
    <TenantKeys as Confined<_>>::IS,
    <NewDataKey as Confined<_>>::IS,
    <Keyring as Confined<_>>::IS,
    <Vault as Confined<_>>::IS,
];
