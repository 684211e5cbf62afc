"""The work itself: reads batch tasks, makes their workbooks and keeps the result files."""
