//! Scopes: what a token allows, and what a route requires.

/// What a token allows. Each scope stands alone: `promote` does not include `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See models, studies and metrics.
    Read,
    /// Predict engines and rows.
    Predict,
    /// Promote and roll back models; begin, start and stop studies.
    Promote,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Read, Self::Predict, Self::Promote];

    /// The word for it in token files and in the API's document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Predict => "predict",
            Self::Promote => "promote",
        }
    }
}

/// What a route requires of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAccess {
    /// Nothing: it is open to clients without a token.
    Public,
    /// A token with this scope, where the server has tokens.
    Scoped(Scope),
}

impl From<Scope> for RouteAccess {
    fn from(scope: Scope) -> Self {
        Self::Scoped(scope)
    }
}
