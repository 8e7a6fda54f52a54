"""A plan is made, frozen, walked and recorded in the ledger."""
