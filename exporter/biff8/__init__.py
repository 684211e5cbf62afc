"""A writer of `.xls` workbooks (BIFF8, Excel 97 to 2003) in little memory, however many rows."""
