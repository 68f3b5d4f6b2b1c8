"""The document as a workbook (XLSX): numbers are numbers, and what can be computed from them is a formula."""
