"""The pre-flight: an edition becomes findings."""
