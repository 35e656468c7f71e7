//! The regular expressions of `filter` and the regex functions: Go's, with their cost taken from
//! the rendering's budget.

use crate::go::regexp::{OutOfSteps, Regexp};
use crate::template::{Budget, CallError, Limit};

/// The steps that it takes to compile one instruction.
const STEPS_AN_INSTRUCTION: u64 = 16;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression(Regexp);

impl From<OutOfSteps> for CallError {
    fn from(_: OutOfSteps) -> CallError {
        Limit::Steps.into()
    }
}

impl Expression {
    /// `regexp.Compile`.
    pub(super) fn new(pattern: &[u8], budget: &mut Budget) -> Result<Expression, CallError> {
        let regexp = Regexp::new(pattern).map_err(|error| CallError::failed(error.to_string()))?;
        let size = regexp.size() as u64;
        budget.spend_steps(size.saturating_mul(STEPS_AN_INSTRUCTION))?;
        Ok(Expression(regexp))
    }

    /// True if the expression matches anywhere in the string.
    pub(super) fn is_match(&self, text: &[u8], budget: &mut Budget) -> Result<bool, CallError> {
        Ok(self.0.is_match(text, &mut budget.steps)?)
    }

    /// The first match, or nothing.
    pub(super) fn find<'t>(
        &self,
        text: &'t [u8],
        budget: &mut Budget,
    ) -> Result<&'t [u8], CallError> {
        let found = self.0.find(text, &mut budget.steps)?;
        Ok(found.unwrap_or_default())
    }

    /// `ReplaceAllString`: `$1` and `${name}` stand for groups.
    pub(super) fn replace_all(
        &self,
        text: &[u8],
        replacement: &[u8],
        budget: &mut Budget,
    ) -> Result<Vec<u8>, CallError> {
        let limit = usize::try_from(budget.bytes).unwrap_or(usize::MAX);
        let steps = &mut budget.steps;
        let out = self.0.replace_all(text, replacement, limit, steps)?;
        budget.spend_bytes(out.len())?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_is_charged() {
        let expression = Expression::new(b"(a?){900}", &mut Budget::default()).expect("fits");
        let mut budget = Budget {
            steps: 1000,
            ..Budget::default()
        };
        assert_eq!(
            expression.is_match(&[b'a'; 100], &mut budget),
            Err(Limit::Steps.into())
        );
    }

    #[test]
    fn what_is_made_is_charged() {
        let expression = Expression::new(b"a", &mut Budget::default()).expect("fits");
        let mut budget = Budget {
            bytes: 1000,
            ..Budget::default()
        };
        let replaced = expression.replace_all(&[b'a'; 100], &[b'b'; 100], &mut budget);
        assert_eq!(replaced, Err(Limit::Bytes.into()));
    }
}
