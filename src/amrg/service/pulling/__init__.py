"""Studies from other systems: what is asked for, who is asked, and the jobs that do it."""
