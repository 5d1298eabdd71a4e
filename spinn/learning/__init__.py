"""What a step minimises and how it moves weights: objectives, optimisers, schedules, options."""
