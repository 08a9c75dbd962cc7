"""The webhook receiver: takes posts, keeps them in an inbox, answers; a run gathers what is there."""
